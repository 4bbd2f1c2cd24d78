"""A changed tile-week or a new model goes in; land-cover maps with confidence come out, predicted over gRPC."""
