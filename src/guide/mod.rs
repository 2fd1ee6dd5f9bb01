//! Pages to read: how to come here from another library, and what to know when a network goes into use.
//!
//! | page | for |
//! |---|---|
//! | [`from_torch`] | who knows `torch.nn`: modules, training, files |
//! | [`from_keras`] | who knows Keras: layers, masks, states, files |
//! | [`deploying`] | a trained network in a program: files, sessions, threads, small builds |
//! | [`reproducibility`] | the same numbers again: seeds, saved runs, what is promised and what is not |
//! | [`distributed`] | training on several machines, or in parts on one, with the same bits |
//! | [`speed`] | what takes time and memory, and what to call instead |

pub mod deploying;
pub mod distributed;
pub mod from_keras;
pub mod from_torch;
pub mod reproducibility;
pub mod speed;
