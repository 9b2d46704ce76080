"""Write what notebooks show: words, tables and graphs as HTML, of texts and names alone."""
