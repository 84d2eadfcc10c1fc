"""Live dashboard (Streamlit): it reads the store, and writes nothing."""
