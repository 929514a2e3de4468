"""What a build tells people: the one-screen summary, the build report and graph pictures."""
