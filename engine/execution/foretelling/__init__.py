"""What will be: plans and forecasts out of surveys, profiles and past executions."""
