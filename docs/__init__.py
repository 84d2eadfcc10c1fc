"""The pages of the site, and what generates parts of them."""
