"""The published corpora: names of files, speakers, emotions, licences, addresses and checksums, one module per corpus."""
