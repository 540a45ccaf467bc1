"""What the product is compared with. Each relays between the two sockets of a pair,
/pair/<number>/0 and /pair/<number>/1: a post is acked to its sender and told to the
other, in the contract's frames. None of them limits, authenticates or remembers."""
