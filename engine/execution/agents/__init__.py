"""The agents of a run: their process, the fleet of them, and the channel between both and the runner."""
