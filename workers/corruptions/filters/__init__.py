"""What corruptions are made of: random draws by example, blurs, and resampling."""
