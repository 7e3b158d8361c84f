"""What a run does with a look at the destination as it is: drift, deletions, verification, dry run."""
