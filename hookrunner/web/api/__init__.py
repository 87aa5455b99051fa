"""What the API answers, a module per noun; the field names are `hookrunner.web.views`."""
