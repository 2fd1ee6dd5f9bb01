//! Lists of any of Arrow's types.

use std::ops::Range;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, LargeListArray, LargeListViewArray, ListArray,
    ListViewArray,
};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, FieldRef};

/// An array of lists.
#[derive(Clone, Copy)]
pub enum Lists<'a> {
    Small(&'a ListArray),
    Large(&'a LargeListArray),
    SmallView(&'a ListViewArray),
    LargeView(&'a LargeListViewArray),
    Fixed(&'a FixedSizeListArray),
}

/// The field of a list's elements; `None` for what is no list.
pub fn elements_of(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => Some(field),
        _ => None,
    }
}

impl<'a> Lists<'a> {
    /// `None` for what is no array of lists.
    pub fn of(array: &'a dyn Array) -> Option<Self> {
        (array.as_list_opt().map(Self::Small))
            .or_else(|| array.as_list_opt().map(Self::Large))
            .or_else(|| array.as_list_view_opt().map(Self::SmallView))
            .or_else(|| array.as_list_view_opt().map(Self::LargeView))
            .or_else(|| array.as_fixed_size_list_opt().map(Self::Fixed))
    }

    /// How many lists there are.
    pub fn len(self) -> usize {
        match self {
            Self::Small(lists) => lists.len(),
            Self::Large(lists) => lists.len(),
            Self::SmallView(lists) => lists.len(),
            Self::LargeView(lists) => lists.len(),
            Self::Fixed(lists) => lists.len(),
        }
    }

    /// The elements of all lists.
    pub fn elements(self) -> &'a ArrayRef {
        match self {
            Self::Small(lists) => lists.values(),
            Self::Large(lists) => lists.values(),
            Self::SmallView(lists) => lists.values(),
            Self::LargeView(lists) => lists.values(),
            Self::Fixed(lists) => lists.values(),
        }
    }

    /// Where the elements of a list are among those of all lists; `None` for null.
    pub fn get(self, list: usize) -> Option<Range<usize>> {
        match self {
            Self::Small(lists) => between(lists, lists.offsets(), list),
            Self::Large(lists) => between(lists, lists.offsets(), list),
            Self::SmallView(lists) => viewed(lists, lists.offsets(), lists.sizes(), list),
            Self::LargeView(lists) => viewed(lists, lists.offsets(), lists.sizes(), list),
            Self::Fixed(lists) => {
                let length = lists.value_length().as_usize();
                (!lists.is_null(list)).then_some(list * length..(list + 1) * length)
            }
        }
    }
}

fn between<O: ArrowNativeType>(lists: &dyn Array, offsets: &[O], list: usize) -> Option<Range<usize>> {
    (!lists.is_null(list)).then(|| offsets[list].as_usize()..offsets[list + 1].as_usize())
}

fn viewed<O: ArrowNativeType>(
    lists: &dyn Array,
    offsets: &ScalarBuffer<O>,
    sizes: &ScalarBuffer<O>,
    list: usize,
) -> Option<Range<usize>> {
    let start = offsets[list].as_usize();
    (!lists.is_null(list)).then(|| start..start + sizes[list].as_usize())
}
