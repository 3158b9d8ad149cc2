// In a file of its own, as the page's Content-Security-Policy allows no script within it.
SwaggerUIBundle({
  url: "schema",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null, // it would send the document to somebody else's server
  plugins: [{ statePlugins: { spec: { wrapActions: { execute: askForWhatIsShown } } } }],
});

// Until somebody chooses a media type, Swagger UI shows one and sends "Accept: */*".
function askForWhatIsShown(execute, { oas3Actions, oas3Selectors, specSelectors }) {
  return (operation) => {
    const { path, method } = operation;
    if (!oas3Selectors.responseContentType(path, method)) {
      const value = specSelectors.currentProducesFor([path, method]);
      oas3Actions.setResponseContentType({ value, path, method });
    }
    return execute(operation);
  };
}
