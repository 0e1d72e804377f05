//! The charts of the report, as SVG that needs only the page's own style. Series differ in line and
//! mark as well as in colour. A chart shows what was counted, and concludes nothing.

mod frame;
mod heatmap;
mod panels;
mod percentiles;
mod shown;
mod time_axis;
mod timeline;

pub use heatmap::Heatmap;
pub use panels::Panels;
pub use percentiles::percentiles;
pub use shown::Shown;
pub use time_axis::TimeAxis;
pub use timeline::timeline;
