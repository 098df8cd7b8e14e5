"""`postil doctor`: checks of a deployment, embedded or not, each with its remedy."""
