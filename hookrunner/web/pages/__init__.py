"""The page: what runs, what came in and what came of it, for people with a browser.

Everything is rendered here; the browser's part (`hookrunner.web.static`) only keeps it fresh.
Links are relative, so that any path prefix of a proxy works without being configured.
"""
