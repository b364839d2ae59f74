"""The landing page at `/`: clusters, alerts with their fix and the age of panels, for people with a browser.

`facts` reads the store and nothing else, `clusters`, `alerts` and `verdict` say what is shown (pure), `page`
renders it.
"""
