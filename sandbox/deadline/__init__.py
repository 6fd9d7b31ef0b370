"""Hard deadlines for trusted code: worker processes that are killed when their time is up."""
