"""Parts of corruptions: random draws by example, blurs, and resampling."""
