# Asks the broker for its ApiVersions: it accepts connections before it serves.
set -eu
exec 3<>/dev/tcp/127.0.0.1/9092
# Length 10, key 18, version 0, correlation 1, client id "".
printf '\0\0\0\012\0\022\0\0\0\0\0\1\0\0' >&3
# Length, correlation 1, error 0.
timeout 5 head -c 10 <&3 | od -An -tx1 | grep -q '00 00 00 01 00 00$'
