"""All that METRICS_PORT serves."""

from service1.views import delivery
from statuslog import exposition

urlpatterns = exposition.urls(delivery.outbox_state, delivery.vstorage_state)

handler400 = "statuslog.rest.bad_request"
handler404 = "statuslog.rest.not_found"
handler500 = "statuslog.rest.server_error"
