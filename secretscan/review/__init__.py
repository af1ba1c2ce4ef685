"""What a person looks through: the places as a list to filter, group and sort, and one of them with its lines."""
