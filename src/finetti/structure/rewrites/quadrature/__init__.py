"""Integrate effects of one number a member by adaptive quadrature."""
