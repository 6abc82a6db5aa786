"""The endpoints, one file for each subject; `server.application` lists them."""
