"""The code that runs inside a worker: the zygote that forks, its watch, and the process of one program."""
