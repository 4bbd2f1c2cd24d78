"""A changed tile-week or a promoted model goes in; land-cover maps with confidence come out, predicted over gRPC."""
