"""The report: reads results and the indexes, writes one page in Markdown and HTML, and its figures."""
