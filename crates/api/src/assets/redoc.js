const place = document.getElementById("redoc");

Redoc.init(place.dataset.document, { hideLoading: true, nativeScrollbars: true }, place);
