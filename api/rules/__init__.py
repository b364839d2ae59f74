"""Rules as the API has them: how they are shown, and what is wrong with them."""
