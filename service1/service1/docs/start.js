// In a file of its own, as the page's Content-Security-Policy allows no script within it.
SwaggerUIBundle({
  url: "schema",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null, // it would send the document to somebody else's server
});
