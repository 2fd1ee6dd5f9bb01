//! The pickle of a torch file, in an archive that is right, beside two storages.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use ndarray_rnn::io::pt;
use zip::write::SimpleFileOptions;

fuzz_target!(|pickle: &[u8]| {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::DEFAULT.compression_method(zip::CompressionMethod::Stored);
    for (name, content) in [("a/data.pkl", pickle), ("a/data/0", &[0; 60]), ("a/data/1", &[0x3f; 100])] {
        zip.start_file(name, options).and_then(|()| Ok(zip.write_all(content)?)).expect("an archive");
    }
    let bytes = zip.finish().expect("an archive").into_inner();
    if let Ok(dict) = pt::from_bytes(&bytes) {
        let again =
            pt::to_bytes(&dict).and_then(|bytes| pt::from_bytes(&bytes)).expect("what was read is written");
        assert!(dict.iter().eq(again.iter()));
    }
});
