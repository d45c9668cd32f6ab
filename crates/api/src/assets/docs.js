const place = document.getElementById("swagger-ui");

window.ui = SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  // The default validator is somebody else's server.
  validatorUrl: null,
});
