"""Write a model: its statements, plates and handlers."""
