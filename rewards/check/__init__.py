"""Looking at a task before it is trained on."""
