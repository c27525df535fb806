"""How far a judge can be trusted: canaries must lose, injections must not steer, length must not buy."""
