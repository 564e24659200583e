"""Many photographs from files to files: the plan, one file, many processes, the journal, and what is made from it."""
