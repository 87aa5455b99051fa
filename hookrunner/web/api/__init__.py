"""What the API answers, a module per noun; the fields are those of `hookrunner.web.shapes`."""
