//! The smallest function that points itself at the extension; it must call `point_at_extension`
//! before anything else.

fn main() {
    brownout_in_process::point_at_extension();
    println!("the runtime would ask {:?}", std::env::var_os("AWS_LAMBDA_RUNTIME_API"));
}
