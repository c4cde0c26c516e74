"""Many runs in one folder: what each of them came to, and which are still to be run."""
