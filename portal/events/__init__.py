"""Events: taken in once each, what they must look like, and how they are looked up."""
