"""Save and end a training when a signal asks for it."""
