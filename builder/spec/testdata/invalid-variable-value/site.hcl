level = "high"
leval = 3
retries = upper("x")
