"""What happens over time: tasks, queues, deadlines. No HTTP, no SQL."""
