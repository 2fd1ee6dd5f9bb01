//! From torch to this crate: the names stay, gradients are values.
//!
//! # What is the same
//!
//! Names of modules, options and parameters, shapes, orders of gates, initial parameters from a seed, dropout's masks,
//! losses, optimisers and schedules. A module's options are a configuration: `nn.LSTM(4, 8, num_layers=2)` is
//! `Lstm::new(LstmConfig::new(4, 8).num_layers(2), &mut rng)?`, and the generator, which torch holds globally, is an argument.
//!
//! | torch | here |
//! |---|---|
//! | `nn.RNN`, `nn.LSTM`, `nn.GRU`, and their cells | [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm), [`Gru`](crate::Gru), [`RnnCell`](crate::RnnCell), ... |
//! | `nn.Linear`, `nn.Embedding`, `nn.Dropout`, `F.one_hot` | [`Linear`](crate::Linear), [`Embedding`](crate::Embedding), [`Dropout`](crate::Dropout), [`one_hot`](crate::one_hot) |
//! | `class Net(nn.Module)` | [`parameters!`](crate::parameters!) |
//! | `nn.Sequential`, `nn.ModuleList` | a tuple, a `Vec` |
//! | `pack_padded_sequence`, `pad_sequence` | [`Run::lengths`](crate::Run::lengths); [`PackedSequence`](crate::PackedSequence), [`pad_sequence`](crate::pad_sequence) |
//! | `F.softmax`, `F.relu`, `torch.argmax`, `torch.multinomial` | [`functional`](crate::functional), [`random::multinomial`](crate::random::multinomial) |
//! | `nn.CrossEntropyLoss`, `nn.MSELoss`, ... | [`loss`](crate::loss) |
//! | `torch.optim`, `lr_scheduler`, `clip_grad_norm_` | [`optim`](crate::optim) |
//! | `module.named_parameters()`, `state_dict()`, `load_state_dict()` | [`Parameters`](crate::Parameters) |
//! | `torch.load`, `torch.save` | `io::pt` with the feature `pt`; see [`io`](crate::io) |
//! | `nn.init` | [`init`](crate::init) |
//! | `torch.manual_seed(0)` | `let mut rng = `[`manual_seed(0)`](crate::manual_seed) |
//!
//! # What is different
//!
//! There is no autograd. A pass in training returns a [`Trace`](crate::Trace), a loss returns its gradient, and each
//! module's `backward` returns gradients, from the last module to the first. So nothing has to be zeroed or detached, and a
//! pass without training keeps nothing: there is no `eval()` and no `no_grad()`.
//!
//! | torch | here |
//! |---|---|
//! | `model.eval()`, `with torch.no_grad()` | `forward` and [`last`](crate::Run::last): no dropout, no trace |
//! | `model.train()` | `forward_train` and [`last_train`](crate::Run::last_train), which draw dropout |
//! | `h.detach()` | nothing: a state has no history |
//! | `optimizer.zero_grad()` | nothing: gradients are new at each step |
//! | two calls of `loss.backward()` | [`accumulate`](crate::Parameters::accumulate) |
//! | `zeros_like` of parameters | [`zeros_like`](crate::Trainable::zeros_like) |
//! | `param.requires_grad = False` | a [group](crate::optim::Optimizer::group) of parameters with a rate of 0 |
//! | an input of one sequence, (L, features) | the same array, 2-D |
//! | `.to(torch.float64)` | `Lstm::<f64>`; [`StateDict::to`](crate::io::StateDict::to) |
//! | `.to("cuda")` | nothing: the CPU is the only device |
//!
//! # A training step, line by line
//!
//! ```python
//! class Net(nn.Module):
//!     def __init__(self):
//!         super().__init__()
//!         self.embedding = nn.Embedding(10, 4)
//!         self.rnn = nn.LSTM(4, 8, batch_first=True)
//!         self.head = nn.Linear(8, 3)
//!
//!     def forward(self, words, lengths):
//!         packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
//!         _, (h_n, _) = self.rnn(packed)
//!         return self.head(h_n[-1])
//!
//! net = Net()
//! optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
//! loss = F.cross_entropy(net(words, lengths), classes)
//! optimizer.zero_grad()
//! loss.backward()
//! nn.utils.clip_grad_norm_(net.parameters(), 1.0)
//! optimizer.step()
//! ```
//!
//! ```
//! use ndarray::array;
//! use ndarray_rnn::loss::CrossEntropyLoss;
//! use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
//! use ndarray_rnn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig, manual_seed, parameters};
//!
//! parameters! { struct Net { embedding: Embedding, rnn: Lstm, head: Linear } }
//!
//! let mut rng = manual_seed(0);
//! let mut net = Net {
//!     embedding: Embedding::<f32>::new(EmbeddingConfig::new(10, 4), &mut rng)?,
//!     rnn: Lstm::<f32>::new(LstmConfig::new(4, 8).batch_first(true), &mut rng)?,
//!     head: Linear::<f32>::new(LinearConfig::new(8, 3), &mut rng)?,
//! };
//! let mut optimizer = Adam::new(AdamConfig::new().lr(0.01), &net)?;
//! let (words, lengths, classes) = (array![[1, 2, 3], [4, 5, 0]], [3, 2], array![0, 2]);
//!
//! let x = net.embedding.forward(&words)?;
//! let (last, _, trace) = net.rnn.run(&x).lengths(&lengths).last_train(&mut rng)?;
//! let loss = CrossEntropyLoss::new().forward(&net.head.forward(&last)?, &classes)?;
//!
//! let head = net.head.backward(&last, &loss.gradient)?;
//! let rnn = net.rnn.back(&trace).last(&head.input).gradients()?;
//! let embedding = net.embedding.backward(&words, &rnn.input)?;
//! let mut gradients = Net { embedding, rnn: rnn.parameters, head: head.parameters };
//! clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
//! optimizer.step(&mut net, &gradients)?;
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! `backward` needs the input of a module and the gradient of its output, so each line of the way back names what its line
//! of the way there was given and what the line below it returned. A module that is called twice has two gradients, which
//! [`accumulate`](crate::Parameters::accumulate) adds; the example `teacher_forcing` has an embedding of that kind.
//!
//! # Files
//!
//! `torch.save(net.state_dict(), "net.pt")` is read by `io::pt::read("net.pt")?`, and [`load_into`](crate::io::StateDict::load_into)
//! fills a model of the same names. Whoever knows no sizes makes each member of what is under its name:
//!
#![cfg_attr(feature = "pt", doc = "```no_run")]
#![cfg_attr(not(feature = "pt"), doc = "```ignore")]
//! use ndarray_rnn::io::{StateDict, pt};
//! use ndarray_rnn::{Embedding, Linear, Lstm, LstmConfig, parameters};
//!
//! parameters! { struct Net { embedding: Embedding, rnn: Lstm, head: Linear } }
//!
//! let dict = pt::read("net.pt")?;
//! let config = dict.under("rnn.").lstm_config()?.batch_first(true); // names and shapes do not say batch_first
//! let mut net = Net {
//!     embedding: Embedding::<f32>::from_state_dict(&dict.under("embedding."), None)?,
//!     rnn: Lstm::<f32>::zeros(config)?,
//!     head: Linear::<f32>::from_state_dict(&dict.under("head."))?,
//! };
//! dict.load_into(&mut net)?;
//!
//! let mut back = StateDict::new();
//! back.add("", &net)?;
//! pt::write("back.pt", &back)?; // net.load_state_dict(torch.load("back.pt"))
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! `io::pt` shows how a run goes on from torch's checkpoint, with its optimiser, and back.
//!
//! # Numbers
//!
//! From one seed, parameters and dropout's masks are torch's bit for bit, but normal values, which agree within 1e-6 in
//! `f32`. Outputs agree within 1e-6 in `f32` and 1e-13 in `f64`, gradients within 1e-5 and 1e-12: torch sums in an order of
//! its own. [`reproducibility`](super::reproducibility) says what is the same bit for bit.
