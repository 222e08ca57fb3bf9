# Double of the sample root file system.
