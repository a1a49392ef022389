count = "hunter2"
