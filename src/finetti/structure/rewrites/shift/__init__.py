"""Shift coefficients by what groups' effects say of them."""
