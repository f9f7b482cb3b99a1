"""The console command `lidia`: one sub-command for each job, over the configs of the bundle."""
