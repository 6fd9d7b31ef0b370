"""What runs inside a worker: the zygote that forks, and the process of one program."""
