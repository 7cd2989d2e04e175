"""HTTP at the edge: requests in, answers and problem details out."""
