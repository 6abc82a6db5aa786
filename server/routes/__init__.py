"""The endpoints, one file for each subject.

`server.application` lists them. Only Gradio's page and its API are mounted by `server.routes.page`.
"""
