"""The code that runs inside a worker process: it confines itself, forks for every program, and watches it."""
