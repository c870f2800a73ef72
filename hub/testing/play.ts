// Plays messages to a flow on the logical clock and reads what it publishes, by the second: the same code that runs live.
export {}
